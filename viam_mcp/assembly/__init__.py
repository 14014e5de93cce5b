"""What turns settings into running objects.

Commands import its modules one by one: a server on stdio has to start fast, and needs nothing of HTTP.
"""
