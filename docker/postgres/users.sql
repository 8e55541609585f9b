-- For a server that asks who you are: docker/compose.team.yaml. Runs are in the database mlflow.
CREATE DATABASE users;
