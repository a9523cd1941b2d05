"""`python -m lambda_app` is the command `lambda-app`."""

from lambda_app.cli import main

if __name__ == "__main__":
    main()
