"""Results in the formats of other tools, and experiment trackers, which alone send anything.

publication   the notes beside a published number, and the results that can be published
eval_results  Hugging Face's `.eval_results/*.yaml`
model_index   the `model-index` of a model card
samples       every sample as CSV or Parquet
trackers      wandb, trackio and MLflow, for `run --log`
"""
