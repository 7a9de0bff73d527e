"""The benchmarks, one file each. This is their table of contents: name -> where the adapter is (imported when asked for)."""

TASKS = {
    "vqav2": "tasks.vqav2:VQAv2",
    "nlvr2": "tasks.nlvr2:NLVR2",
    "coco-caption": "tasks.coco_caption:COCOCaption",
    "coco-retrieval": "tasks.retrieval:COCORetrieval",
    "flickr30k-retrieval": "tasks.retrieval:Flickr30KRetrieval",
    "refcoco+": "tasks.refcoco_plus:RefCOCOPlus",
    "ovad": "tasks.ovad:OVAD",
}
