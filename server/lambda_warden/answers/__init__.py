"""What came back from AWS, decoded and redacted: the one gate before `report/`."""
