"""The shapes of results: encoding, output schemas, paging, and the size limit."""
