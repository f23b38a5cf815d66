"""What tables say. Cannot tell real records from simulated ones."""
