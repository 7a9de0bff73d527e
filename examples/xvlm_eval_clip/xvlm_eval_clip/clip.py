"""CLIP by the classes of transformers: a model family for retrieval and OVAD."""

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPModel

from harness.capabilities import DualEncoder
from harness.engine.device import choose_device
from harness.family import Family

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TEXTS = 256  # encoded at a time


class Clip:
    """Implements `harness.capabilities.DualEncoder`."""

    def __init__(self, weights, *, needs, device, dtype):
        self.on = choose_device(device, dtype)
        self.network = CLIPModel.from_pretrained(weights.path, local_files_only=True).eval()
        self.network.to(self.on.torch)
        self.tokenizer = AutoTokenizer.from_pretrained(weights.path, local_files_only=True)
        self.prompt = weights.arguments.get("prompt", "")
        self.side = self.network.config.vision_config.image_size
        self.length = self.network.config.text_config.max_position_embeddings
        self.device, self.provenance = self.on.name, {}  # the whole folder of weights is hashed
        self.protocol = f"clip-cosine|{self.side}px|bicubic|crop|prompt {self.prompt!r}"

    def prepare(self, image):
        size = (self.side, self.side)
        return np.asarray(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC))

    def encode_images(self, images):
        with self.on.computing():
            pixels = torch.from_numpy(images).to(self.on.torch).float() / 255
            pixels = (pixels - pixels.new_tensor(MEAN)) / pixels.new_tensor(STD)
            features = self.network.get_image_features(pixels.permute(0, 3, 1, 2))
            return normalize(features.pooler_output.float(), dim=-1)

    def encode_texts(self, texts):
        chunks = [texts[first : first + TEXTS] for first in range(0, len(texts), TEXTS)]
        return torch.cat([self.encode_chunk([self.prompt + text for text in c]) for c in chunks])

    def encode_chunk(self, texts):
        size = {"padding": True, "truncation": True, "max_length": self.length}
        tokens = self.tokenizer(texts, return_tensors="pt", **size).to(self.on.torch)
        with self.on.computing():
            features = self.network.get_text_features(tokens.input_ids, tokens.attention_mask)
            return normalize(features.pooler_output.float(), dim=-1)


PROMPT = {"prompt": "text before every caption and sentence, e.g. `a photo of `"}
FAMILY = Family("CLIP, an example", offers=(DualEncoder,), load=Clip, arguments=PROMPT)
