"""BERT with cross-attention: the text side of any ALBEF-like model."""
