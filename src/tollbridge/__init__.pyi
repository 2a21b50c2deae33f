# What `__init__.py` loads on demand, for type checkers: an import there, be it for them alone,
# would make everything under this package depend on the database.
from tollbridge.attribution.detect import APIProvider, detect_actual_provider
from tollbridge.client import Client, GenerateError
from tollbridge.rating.model_catalogue import Catalogue
from tollbridge.rating.models import Model, validate_image_size, validate_model

__all__ = [
    "APIProvider",
    "Catalogue",
    "Client",
    "GenerateError",
    "Model",
    "detect_actual_provider",
    "validate_image_size",
    "validate_model",
]
