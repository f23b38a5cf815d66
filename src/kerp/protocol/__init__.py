"""What should happen: frozen protocol data, loader, checker, dose arithmetic, schedules."""
