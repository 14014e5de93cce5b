"""Rules: the policy file, and how rules match a call's arguments."""
