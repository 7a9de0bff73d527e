"""Results in the formats of other tools, and experiment trackers. Only a tracker sends anything.

publication   what is published with a number, and which results are none to publish
eval_results  Hugging Face's `.eval_results/*.yaml`
model_index   the `model-index` of a model card
samples       every sample as CSV or Parquet
trackers      wandb, trackio and MLflow, for `run --log`
"""
