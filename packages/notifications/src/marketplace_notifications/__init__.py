"""An inbox, e-mail and a resumable SSE stream."""
