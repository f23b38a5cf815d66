"""The part of django-allauth's addresses that is in use (no sign-up, no e-mail), and our own."""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path

from kerp.web.accounts import views

urlpatterns = [
    path("login/", account.login, name="account_login"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", account.reauthenticate, name="account_reauthenticate"),
    path("go-on/", views.go_on, name="go_on"),
    path("password/change/", account.password_change, name="account_change_password"),
    path("invitation/<uuid:person>/<str:token>/", views.invitation, name="invitation"),
    path("preferences/", views.preferences, name="preferences"),
    path("factors/", include("allauth.mfa.urls")),
    path("sessions/", include("allauth.usersessions.urls")),
]
