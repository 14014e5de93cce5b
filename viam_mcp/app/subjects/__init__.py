"""The methods of `AppClient`, one module for each subject of the API."""
