"""Official annotation and result files, one module per format.

folder        the user's data folder, and the files missing from it
same_files    whether annotation files are those of a run, wherever they lie
image_folder  where the images of a benchmark lie, by their names in annotations
coco          COCO's images and captions, which several benchmarks share
vqa, nlvr2, karpathy, refer, ovad, vlue  read annotations
prompts       OVAD's sentences
submissions, matrices  read results in the benchmarks' own formats
matches       the scored texts of an image as a prediction
hub_rows      write copies on Hugging Face's hub as official files
own/          annotations, images and predictions of a user's own data
"""
