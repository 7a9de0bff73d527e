"""What a run leaves on disk: read and written here only.

record              the result record: metrics, and everything that determined them
validation          values that no run writes
predictions         the prediction file, appended sample by sample
stored_predictions  that of any run, read
prediction_lines    its lines as JSON, decoded to columns
id_column           ids of samples in rows, found by id
fingerprints        checksums of what each sample was predicted from
identity            what tells the predictions of two runs apart
sample_scores       per-sample scores, from which two runs are compared
stored              a record with its sidecar files, verified by hash
integrity           whether their contents agree
provenance          versions, commit and processor of a run
"""
