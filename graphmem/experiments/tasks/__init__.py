"""The facts and questions that the methods are compared on."""
