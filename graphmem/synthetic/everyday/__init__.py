"""Everyday texts whose facts are known: minutes, letters, chats, logs. Training data of the extractor.

``frames`` holds the wordings, ``times`` the dates, ``world`` the people and things, ``writer`` the marks of what a
sentence says, ``texts`` the genres.
"""
