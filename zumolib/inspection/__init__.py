"""What is: queues, the messages in them, and the tasks that workers know, read and never changed."""
