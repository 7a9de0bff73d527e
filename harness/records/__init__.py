"""What a run leaves: the record, its predictions and per-sample scores; read and written here only."""
