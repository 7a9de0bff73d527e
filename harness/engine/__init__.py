"""What any model runs on, independent of its family.

`device` (where and how precisely), `memory` (how much is free), `chunks` (how much at a time);
`packing` (texts without padding), `matmul` (faster linear maps and attention); `beam_search`,
`prefix_tree` and `answer_ranking` (a fixed list of answers); `encoded_gallery`, `shortlist` and
`two_stage_retrieval`.
"""
