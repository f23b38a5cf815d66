"""Forms about one's own account."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.password_validation import validate_password

from kerp.web.models import Person


class InvitationForm(forms.Form):
    """Choosing the first password, or a new one after a reset by the administrator."""

    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters. A sentence is easier to remember than a code.",
        max_length=200,
    )
    again = forms.CharField(
        label="The same again", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), max_length=200
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_password(self) -> str:
        password = str(self.cleaned_data["password"])
        validate_password(password, self.person)
        return password

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("password") and cleaned.get("password") != cleaned.get("again"):
            self.add_error("again", "The two passwords differ.")
        return cleaned


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]  # Django itself is not generic at run time
    """How pages look for this person."""

    class Meta:
        model = Person
        fields = ("theme", "text_size", "handedness")
        labels: ClassVar = {"theme": "Colours", "text_size": "Text", "handedness": "Bedside buttons for the hand"}
        widgets: ClassVar = dict.fromkeys(("theme", "text_size", "handedness"), forms.RadioSelect)
