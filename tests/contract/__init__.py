"""What we promise to others, compared with committed schemas and golden files."""
