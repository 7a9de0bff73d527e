"""The length of the shortlist belongs to the model's protocol, where that states one."""

import numpy as np
import pytest

from harness.capabilities import Matches
from harness.errors import DataError
from harness.running.runners import predict_samples
from harness.task import Batch, workload_of
from tasks.own.retrieval import OwnRetrieval
from tasks.retrieval import COCORetrieval, Flickr30KRetrieval, Picture

COCO, FLICKR = COCORetrieval(), Flickr30KRetrieval()


class Cosine:
    """Image and text n have the feature of an angle."""

    protocol, device, provenance = "cosine", "cpu", {}

    def prepare(self, image):
        raise NotImplementedError

    def encode_images(self, images):
        return images.reshape(len(images), 2)

    def encode_texts(self, texts):
        angles = np.array([float(text) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


class Wishing(Cosine):
    def shortlist_for(self, collection):
        return {"coco": 2}.get(collection)


def pictures():
    angles = (0.0, 0.1, 0.2, 0.3)
    # The true texts of images 0 and 3 are those of the farthest angles.
    texts = ("0.3", "0.11", "0.21", "0.01")
    samples = [
        Picture(id=str(n), images=(f"{n}.jpg",), captions=(text,), name=f"{n}.jpg")
        for n, text in enumerate(texts)
    ]
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return samples, Batch(samples, features, np.arange(4)[:, None])


@pytest.mark.parametrize(
    ("task", "model", "protocol", "texts"),
    [
        (COCO, Cosine(), "itc-only|k=256|karpathy|cosine", [4, 4, 4, 4]),
        (COCO, Wishing(), "itc-only|k=2|karpathy|cosine", [2, 2, 3, 2]),
        (FLICKR, Wishing(), "itc-only|k=128|karpathy|cosine", [4, 4, 4, 4]),
    ],
    ids=["the task's", "the model's", "of another collection"],
)
def test_protocol_candidates_and_scores_follow_it(task, model, protocol, texts):
    samples, batch = pictures()
    assert task.protocol_of(model) == protocol
    predictions = predict_samples(task, model, samples, [batch])
    assert [len(predictions[sample.id]["texts"]) for sample in samples] == texts
    expected = 2 if protocol.startswith("itc-only|k=2|") else None
    assert {p.get("shortlist") for p in predictions.values()} == {expected}
    outside = task.score(samples, predictions).breakdown["outside_of_shortlist"]
    assert outside["i2t_outside"] == (50.0 if expected else 0.0)


def test_the_work_is_that_of_the_models_shortlist():
    samples, _ = pictures()
    assert workload_of(COCO, Wishing(), samples).pairs == 4 * 2
    assert workload_of(COCO, Wishing(), samples).pairs_at_most == 2 * 4 * 2
    assert workload_of(COCO, Cosine(), samples) == COCO.workload(samples)
    assert COCO.workload(samples).pairs == 16


def test_predictions_of_two_shortlists_are_not_scored_together():
    samples, _ = pictures()
    predictions = {sample.id: {"texts": [0], "itc": [0.5], "itm": [0.5]} for sample in samples}
    predictions["1"]["shortlist"] = 2
    with pytest.raises(DataError, match="the shortlist of the prediction for image 0 is None"):
        COCO.score(samples, predictions)
    for sample in samples:
        predictions[sample.id]["shortlist"] = -1
    with pytest.raises(DataError, match="image 0 has a shortlist of -1 texts"):
        COCO.score(samples, predictions)


def test_a_prediction_names_only_a_shortlist_that_is_not_the_tasks():
    matches = Matches(0, np.array([1]), np.array([0.5], np.float32), None, "itc", 256)
    assert "shortlist" not in COCO.as_prediction(matches)
    assert FLICKR.as_prediction(matches)["shortlist"] == 256


def test_own_data_states_the_models_shortlist_too():
    class Short(Cosine):
        def shortlist_for(self, collection):
            return 64

    assert OwnRetrieval().protocol_of(Short()) == "itc-only|k=64|cosine"
    assert OwnRetrieval().protocol_of(Cosine()) == "itc-only|k=256|cosine"


def test_a_sample_is_shown_with_the_candidates_that_are_scored():
    samples, batch = pictures()
    predictions = predict_samples(COCO, Wishing(), samples, [batch])
    assert len(predictions["2"]["texts"]) == 3  # two of its own shortlist, one of a text's
    view = COCO.viewer(samples, predictions)(samples[2])
    assert view.details[0].title.startswith("First 2 texts of 2, by cosine")
