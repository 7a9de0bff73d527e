"""The embedded benchmark and its model.

- `world/`: scenes as data, their pixels, and sentences about them.
- `formats`: scenes in the file formats of the seven benchmarks, `refcoco_plus` and `vlue` in those
  of RefCOCO+ and VLUE; `storage`: images and JSON files.
- `benchmark`: the embedded benchmark in the cache folder.
- `training/`: the training recipe of xvlm-shapes. The only part that imports torch.
- `weights/`: the trained weights.
"""
