"""What any model runs on, independent of its family.

`device` (where and how precisely), `memory` (how much is free), `chunks` (how much at a time);
`packing` (texts without padding), `packed_attention` (their attention without padding, on a GPU),
`matmul` (faster linear maps and attention), `fused` (fewer passes over a GPU's memory) with
`kernels` and `triton_kernels`, `step_graphs` (a decoder's steps replayed); `beam_search`,
`prefix_tree` and `answer_ranking` (a fixed list of answers); `encoded_gallery`, `shortlist` and
`two_stage_retrieval`.
"""
