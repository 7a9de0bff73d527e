"""Tiny dual encoders with random weights, in the layout of transformers, made on the spot."""

from pathlib import Path

import torch

WORDS = ["a red circle above a blue square", "the green star left of the yellow triangle"]
TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 24, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3,
}  # fmt: skip
VISION = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": 48, "patch_size": 16,
}  # fmt: skip


def write_dual_encoder(folder: Path, kind: str, seed: int = 0) -> Path:
    """Write a `clip` or `siglip` with its tokenizer into a folder, and return that."""
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    tokenizer.train_from_iterator(
        WORDS, trainers.BpeTrainer(vocab_size=120, special_tokens=special)
    )
    if kind == "clip":
        ends = [("<s>", 1), ("</s>", 2)]
        tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    text = {**TEXT, "vocab_size": tokenizer.get_vocab_size()}
    torch.manual_seed(seed)
    if kind == "clip":
        shape = {"projection_dim": 16}
        config = transformers.CLIPConfig(
            text_config={**text, **shape}, vision_config={**VISION, **shape}, **shape
        )
        model = transformers.CLIPModel(config)
    else:
        config = transformers.SiglipConfig(text_config=text, vision_config=VISION)
        model = transformers.SiglipModel(config)
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
    ).save_pretrained(folder)
    return folder
