"""Choose, manage and import models."""
