"""How quickly a push of WeChat is answered."""
