"""Which wire format does a provider speak? One file per format."""
