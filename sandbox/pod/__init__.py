"""What runs of ours in a task's pod, before and after its executors."""
