"""The planner and the runner of the batch: files and nights as jobs, loaded one after the other."""
