"""What a recorder leaves in runs/<id>/recordings/ and audit.sqlite: names, columns, and how to read it."""
