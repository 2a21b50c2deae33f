"""How do callers and people reach the gateway? The only package that knows the web framework."""
