"""kerp: ketamine-augmented exposure and response prevention, as software.

Rooms are sub-packages; a room imports only rooms below it (docs/architecture.md). This file imports nothing, so
that `kerp --help` stays fast and the session engine cannot reach a prediction by accident.
"""

__version__ = "0.1.0"
