"""The Django application of a study team: people, permissions, storage, screens. The only room that knows Django."""
