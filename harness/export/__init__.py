"""Results in the formats of other tools, and experiment trackers. Nothing here sends a file.

eval_results  Hugging Face's `.eval_results/*.yaml`
model_index   the `model-index` of a model card
samples       every sample as CSV or Parquet
trackers      wandb, trackio and MLflow, for `run --log`
"""
