"""What any model runs on, independent of its family.

device               where and how precisely
memory               how much is free
chunks               how much at a time
packing              texts without padding
segments             tokens that attend together: those of a text, or of the texts of an image
packed_attention     their attention without padding, on a GPU
matmul               faster linear maps and attention
fused                fewer passes over a GPU's memory, with kernels and triton_kernels
finite               NaN refused where it would decide
switch               which of two implementations computes
step_graphs          a decoder's steps replayed
beam_search          generated texts
prefix_tree          a fixed list of answers, and answer_ranking
encoded_gallery      the images of a gallery
shortlist            the pairs worth re-ranking
two_stage_retrieval  both stages, by any model
similarity           images and sentences compared
"""
