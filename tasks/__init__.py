"""The benchmarks, one file each. This is their table of contents: name -> where the adapter is (imported when asked for)."""

TASKS = {
    "refcoco+": "tasks.refcoco_plus:RefCOCOPlus",
}
