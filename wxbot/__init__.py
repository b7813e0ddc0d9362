"""Lets the account talk: the push door, the replies, the menu, the server and the command."""
