"""How models are run: one memory, many readers.

`readers` seats texts at what they look at, `packs` lays them end to end; `shortlist`, `answers` and `beams` search; `products` computes,
as much at a time as `grain` says. `loader` groups samples by image and decodes ahead; `device` says where, and how precisely; `memory` how
much room there is; `processes` how several share the work.
"""
