// Answers and refusals in the service's form: {status, headers?, body?, substatus?, charge?}.

const CODES = {
  400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 405: 'MethodNotAllowed', 408: 'RequestTimeout',
  409: 'Conflict', 410: 'Gone', 412: 'PreconditionFailed', 413: 'RequestEntityTooLarge', 429: 'TooManyRequests', 449: 'RetryWith',
  500: 'InternalServerError', 503: 'ServiceUnavailable',
};

export class Refusal extends Error {
  constructor(status, message, { substatus = 0, charge = 1, extra } = {}) {
    super(message);
    this.status = status;
    this.substatus = substatus;
    this.charge = charge;
    this.extra = extra;
  }
}

export function errorBody(status, message, extra) {
  return { code: CODES[status] ?? 'Error', message: `Message: ${JSON.stringify({ Errors: [message] })}`, ...extra };
}

export const notFound = (charge = 1) => new Refusal(404, 'Resource Not Found.', { charge });
// Lets clients tell a missing container or database from a missing item.
export const ownerMissing = () => new Refusal(404, 'Owner resource does not exist', { substatus: 1003 });
export const badRequest = (message, substatus = 0) => new Refusal(400, message, { substatus });
export const tooLarge = () => new Refusal(413, 'Request size is too large');
export const precondition = (charge) => new Refusal(412, 'One of the specified pre-condition is not met', { charge });
export const conflict = (charge, message = 'Resource with specified id or name already exists.') => new Refusal(409, message, { charge });
