/** Tokens of the admin API. */
import { z } from 'zod';
import { NewToken, Token, TokenList, TokenRequest } from '../api-types.ts';
import { type Operation, operation } from '../operation.ts';

export const TOKENS: readonly Operation[] = [
  operation({
    id: 'listTokens',
    method: 'GET',
    path: '/api/v1/tokens',
    summary: 'Tokens that were made, without what they are',
    scope: 'admin',
    problems: [],
    success: { description: 'All of them, in the order in which they were made', schema: TokenList },
    handle: (ports) => ({ items: [...ports.tokens()] }),
  }),
  operation({
    id: 'createToken',
    method: 'POST',
    path: '/api/v1/tokens',
    summary: 'Make a token',
    scope: 'admin',
    body: TokenRequest,
    problems: ['E_NAME', 'E_CONFLICT', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { status: 201, description: 'The only answer that has the token itself', schema: NewToken },
    handle: (ports, { body, by }) => ports.createToken(body, by),
  }),
  operation({
    id: 'revokeToken',
    method: 'DELETE',
    path: '/api/v1/tokens/{token}',
    summary: 'Revoke a token: it is taken no more',
    scope: 'admin',
    params: { token: z.string().meta({ description: 'its name' }) },
    problems: ['E_NAME', 'E_NOT_FOUND', 'E_STATE_WRITE', 'E_SHUTTING_DOWN'],
    success: { description: 'What it was', schema: Token },
    handle: (ports, { params, by }) => ports.revokeToken(params.token, by),
  }),
];
