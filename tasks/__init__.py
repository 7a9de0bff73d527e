"""The benchmarks, one file each: `vqav2.py` holds VQAv2.

A benchmark may have further files: `vqav2_files.py` holds what is published about VQAv2's files,
`vqav2_scoring.py` how its predictions become metrics, `retrieval_view.py` what samples of retrieval
look like. `own/` holds the tasks on data of the user's own.

This table of contents maps names to task classes, which are imported on demand.
"""

TASKS = {
    "vqav2": "tasks.vqav2:VQAv2",
    "nlvr2": "tasks.nlvr2:NLVR2",
    "coco-caption": "tasks.coco_caption:COCOCaption",
    "coco-retrieval": "tasks.retrieval:COCORetrieval",
    "flickr30k-retrieval": "tasks.retrieval:Flickr30KRetrieval",
    "refcoco+": "tasks.refcoco_plus:RefCOCOPlus",
    "refcoco+-weak": "tasks.refcoco_plus_weak:WeakRefCOCOPlus",
    "ovad": "tasks.ovad:OVAD",
    "refcoco": "tasks.refcoco:RefCOCO",
    "refcocog": "tasks.refcoco:RefCOCOg",
    "flickr30k-retrieval-zero-shot": "tasks.zero_shot:ZeroShotFlickr30KRetrieval",
    "vlue-retrieval": "tasks.vlue:VLUERetrieval",
    "vlue-vqa": "tasks.vlue:VLUEVQA",
    "vlue-nlvr2": "tasks.vlue:VLUENLVR2",
    "vlue-grounding": "tasks.vlue_grounding:VLUEGrounding",
    "vlue-grounding-weak": "tasks.vlue_grounding:WeakVLUEGrounding",
}

# On data of the user's own (`--annotations`), not in lists of benchmarks.
OWN_DATA_TASKS = {
    "own-grounding": "tasks.own.grounding:OwnGrounding",
    "own-caption": "tasks.own.caption:OwnCaption",
    "own-retrieval": "tasks.own.retrieval:OwnRetrieval",
    "own-vqa": "tasks.own.vqa:OwnVQA",
    "own-nlvr2": "tasks.own.nlvr2:OwnNLVR2",
}
