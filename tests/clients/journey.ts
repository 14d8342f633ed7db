/** A customer's day through a client typed by the document: from signing in to a payment. */
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Payment = components["schemas"]["Payment"];

/** What was answered, or an error that says what went wrong instead. */
function good<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  if (answer.data === undefined) throw new Error(answer.error?.detail ?? "nothing was answered");
  return answer.data;
}

export async function play(baseUrl: string, email: string, password: string): Promise<Payment> {
  const client = createClient<paths>({ baseUrl });
  const session = good(await client.POST("/api/v1/auth/login", { body: { email, password } }));
  const headers = { Authorization: `Bearer ${session.access}` };

  const found = good(await client.GET("/api/v1/services", { params: { query: { q: "cleaning", limit: 1 } } }));
  const service = found.items[0];
  if (service === undefined) throw new Error("there is no service");
  const path = { serviceId: service.id };
  const day = 24 * 60 * 60 * 1000;
  const query = { from: new Date(Date.now() + day).toISOString(), to: new Date(Date.now() + 8 * day).toISOString() };
  const slots = good(await client.GET("/api/v1/services/{serviceId}/slots", { params: { path, query } }));
  const slot = slots.items[0];
  if (slot === undefined) throw new Error("there is no slot");

  const wish = { serviceId: service.id, scheduledAt: slot.start, notes: "Ring twice." };
  const booking = good(await client.POST("/api/v1/bookings", { headers, body: wish }));
  const taken = await client.POST("/api/v1/bookings", { headers, body: wish });
  if (taken.error?.code !== "slot_unavailable") throw new Error("the slot was given twice");
  const how = { bookingId: booking.id, paymentMethod: "mock_success" } as const;
  return good(await client.POST("/api/v1/payments", { headers, body: how }));
}

declare const process: { argv: string[] };
const [, , url = "", email = "", password = ""] = process.argv;
console.log(JSON.stringify(await play(url, email, password)));
