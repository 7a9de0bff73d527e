"""Official metrics as pure functions, each with an example to check by hand.

vqa             VQA accuracy
nlvr2           accuracy and consistency
captions        BLEU, METEOR, ROUGE-L, CIDEr, SPICE
caption_sums    BLEU and METEOR from summed counts, to resample images
java            the runtime of the caption scorers
retrieval       recall from ranks
pairs           ranks from scored image-text pairs
grounding       accuracy of boxes
weak_grounding  boxes from localization maps
attributes      OVAD's mean average precision
attribute_ranks the same from resampled images
"""
