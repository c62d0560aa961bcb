"""Turns files into documents: finds the articles of a folder, and reads each format (PDF, Word, HTML, mail, tables ...)."""
