"""The rules of the service that several rpcs of the sandbox share."""
