"""The study office: server-rendered pages. Each module is one area: forms, views, templates of the same name."""
