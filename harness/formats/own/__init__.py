"""A user's own data: files of annotations, of any of five formats, and a folder of images.

    folder.py       the files, the images and the candidate answers, as a data folder
    rows.py         JSON lines, JSON lists, CSV and TSV -> rows of named values
    coco.py         COCO's captions and boxes -> the same rows
    vqa.py          VQA's questions, and their answers of another file -> the same rows
    entries.py      rows -> validated entries of one of five kinds
    images.py       the image of an entry, upright, and its size
    predictions.py  predictions of other programs, in the words of the annotations

Described for users in docs/own-data.md.
"""
