"""Who runs what? The supervisor, the workers, the office, and the link between them."""
