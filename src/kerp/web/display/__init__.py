"""The participant's screen: joined by a one-time code, follows the session, says what it really showed."""
